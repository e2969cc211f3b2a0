SELECT count(CASE WHEN (`email` IS NOT NULL AND NOT CASE WHEN REGEXP_CONTAINS(CAST(`email` AS STRING), '^(?:' || %(param_1)s || ')$') THEN CASE WHEN (CAST(`email` AS STRING) LIKE %(param_2)s) THEN (((length(CAST(`email` AS STRING)) - length(replace(CAST(`email` AS STRING), ':', ''))) + CASE WHEN (CAST(`email` AS STRING) LIKE %(param_3)s) THEN 1 ELSE 0 END) - CASE WHEN (CAST(`email` AS STRING) LIKE %(param_4)s) THEN 1 ELSE 0 END) - CASE WHEN (CAST(`email` AS STRING) LIKE %(param_5)s) THEN 1 ELSE 0 END <= 7 ELSE (length(CAST(`email` AS STRING)) - length(replace(CAST(`email` AS STRING), ':', ''))) + CASE WHEN (CAST(`email` AS STRING) LIKE %(param_3)s) THEN 1 ELSE 0 END = 7 END ELSE false END) THEN 1 END) AS `m0` 
FROM `analytics`.`orders`
-- param_1: '(?:(?:[0-9A-Fa-f]{1,4}:)*[0-9A-Fa-f]{1,4})?::(?:(?:[0-9A-Fa-f]{1,4}:)*(?:[0-9A-Fa-f]{1,4}|(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\\.(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\\.(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\\.(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])))?|(?:[0-9A-Fa-f]{1,4}:)+(?:[0-9A-Fa-f]{1,4}|(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\\.(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\\.(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\\.(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9]))'
-- param_2: '%::%'
-- param_3: '%.%'
-- param_4: '::%'
-- param_5: '%::'
