SELECT count(CASE WHEN (`email` IS NOT NULL AND NOT (CAST(`email` AS STRING) RLIKE ('\\A(?:' || %(param_1)s || ')\\z'))) THEN 1 END) AS `m0` 
FROM `analytics`.`orders`
-- param_1: '\\+[1-9][0-9]{6,14}'
