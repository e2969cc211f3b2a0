SELECT count(CASE WHEN (`email` IS NOT NULL AND NOT CASE WHEN (CAST(`email` AS STRING) RLIKE ('\\A(?:' || :`param_1` || ')\\z')) THEN CASE WHEN (CAST(`email` AS STRING) LIKE :`param_2`) THEN (((length(CAST(`email` AS STRING)) - length(replace(CAST(`email` AS STRING), ':', ''))) + CASE WHEN (CAST(`email` AS STRING) LIKE :`param_3`) THEN 1 ELSE 0 END) - CASE WHEN (CAST(`email` AS STRING) LIKE :`param_4`) THEN 1 ELSE 0 END) - CASE WHEN (CAST(`email` AS STRING) LIKE :`param_5`) THEN 1 ELSE 0 END <= 7 ELSE (length(CAST(`email` AS STRING)) - length(replace(CAST(`email` AS STRING), ':', ''))) + CASE WHEN (CAST(`email` AS STRING) LIKE :`param_3`) THEN 1 ELSE 0 END = 7 END ELSE false END) THEN 1 END) AS m0 
FROM `analytics`.`orders`
-- param_1: '(?:(?:[0-9A-Fa-f]{1,4}:)*[0-9A-Fa-f]{1,4})?::(?:(?:[0-9A-Fa-f]{1,4}:)*(?:[0-9A-Fa-f]{1,4}|(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\\.(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\\.(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\\.(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])))?|(?:[0-9A-Fa-f]{1,4}:)+(?:[0-9A-Fa-f]{1,4}|(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\\.(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\\.(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\\.(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9]))'
-- param_2: '%::%'
-- param_3: '%.%'
-- param_4: '::%'
-- param_5: '%::'
