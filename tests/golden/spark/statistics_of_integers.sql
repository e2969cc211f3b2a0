SELECT min(`id`) AS `m0`, max(`id`) AS `m1`, SUM(CAST(`id` AS DECIMAL(38, 0))) AS `m2`, (CAST(SUM(CAST(`id` AS DECIMAL(38, 0))) AS STRING) || '/' || CAST(COUNT(`id`) AS STRING)) AS `m3`, CAST(stddev_samp(`id`) AS DOUBLE) AS `m4`, PERCENTILE(CAST(`id` AS DOUBLE), %(param_1)s) AS `m5`, CAST(count(CASE WHEN (`id` IS NULL) THEN 1 END) AS DOUBLE) / nullif(count(*), 0) AS `m6` 
FROM `analytics`.`orders`
-- param_1: 0.5
