SELECT min(`amount`) AS `m0`, max(`amount`) AS `m1`, SUM(`amount`) AS `m2`, (CAST(SUM(`amount`) AS STRING) || '/' || CAST(COUNT(`amount`) AS STRING)) AS `m3`, CAST(stddev_samp(`amount`) AS DOUBLE) AS `m4`, PERCENTILE(CAST(`amount` AS DOUBLE), %(param_1)s) AS `m5`, CAST(count(CASE WHEN (`amount` IS NULL) THEN 1 END) AS DOUBLE) / nullif(count(*), 0) AS `m6` 
FROM `analytics`.`orders`
-- param_1: 0.5
