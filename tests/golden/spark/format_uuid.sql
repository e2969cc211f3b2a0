SELECT count(CASE WHEN (`email` IS NOT NULL AND NOT (CAST(`email` AS STRING) RLIKE ('\\A(?:' || %(param_1)s || ')\\z'))) THEN 1 END) AS `m0` 
FROM `analytics`.`orders`
-- param_1: '[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}'
