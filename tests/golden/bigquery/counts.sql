SELECT count(*) AS `m0`, count(CASE WHEN (`email` IS NULL OR CAST(`email` AS STRING) IN (%(param_1)s, %(param_2)s) OR REGEXP_CONTAINS(`email`, %(param_3)s)) THEN 1 END) AS `m1`, count(IF(IS_NAN(`rate`), NULL, `rate`)) AS `m2`, count(CASE WHEN (`amount` IS NULL OR false OR `amount` IN (%(param_4)s, %(param_5)s)) THEN 1 END) AS `m3` 
FROM `analytics`.`orders`
-- param_1: ''
-- param_2: 'n/a'
-- param_3: '^\\s*$'
-- param_4: 'number 0'
-- param_5: 'number 1.50'
