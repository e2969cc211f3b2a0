SELECT count(CASE WHEN (`email` IS NOT NULL AND NOT REGEXP_CONTAINS(CAST(`email` AS STRING), '^(?:' || %(param_1)s || ')$')) THEN 1 END) AS `m0` 
FROM `analytics`.`orders`
-- param_1: '[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}'
