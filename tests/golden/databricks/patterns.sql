SELECT count(CASE WHEN (`email` IS NOT NULL AND NOT (CAST(`email` AS STRING) RLIKE :`param_1`)) THEN 1 END) AS m0, count(CASE WHEN (`email` IS NOT NULL AND (CAST(`email` AS STRING) RLIKE :`param_2`)) THEN 1 END) AS m1, count(CASE WHEN (`email` IS NOT NULL AND NOT (CAST(`email` AS STRING) LIKE :`param_3`)) THEN 1 END) AS m2, count(CASE WHEN (`email` IS NOT NULL AND NOT (CAST(`email` AS STRING) LIKE :`param_4`)) THEN 1 END) AS m3, count(CASE WHEN (`email` IS NOT NULL AND (length(CAST(`email` AS STRING)) < :`length_1` OR length(CAST(`email` AS STRING)) > :`length_2`)) THEN 1 END) AS m4 
FROM `analytics`.`orders`
-- param_1: '@[a-z]+\\.'
-- param_2: '%'
-- param_3: 'a%'
-- param_4: 'a\\%_'
-- length_1: 1
-- length_2: 10
