SELECT count(CASE WHEN (`email` IS NOT NULL AND NOT REGEXP_CONTAINS(CAST(`email` AS STRING), '^(?:' || %(param_1)s || ')$')) THEN 1 END) AS `m0` 
FROM `analytics`.`orders`
-- param_1: '(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\\.(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\\.(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\\.(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])'
