SELECT min(`amount`) AS `m0`, max(`amount`) AS `m1`, sum(CAST(`amount` AS Decimal(76, 2))) AS `m2`, (toString(sum(CAST(`amount` AS Decimal(76, 2)))) || '/' || toString(count(`amount`))) AS `m3`, CAST(if(count(`amount`) > 1, stddevSampStable(CAST(`amount` AS Float64)), NULL) AS DOUBLE) AS `m4`, quantileExactInclusive(%(param_1)s)(CAST(`amount` AS Float64)) AS `m5`, CAST(count(CASE WHEN (`amount` IS NULL) THEN 1 END) AS DOUBLE) / nullif(count(*), 0) AS `m6` 
FROM `analytics`.`orders`
-- param_1: 0.5
