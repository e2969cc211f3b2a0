SELECT min(`id`) AS `m0`, max(`id`) AS `m1`, sum(toInt128(`id`)) AS `m2`, (toString(sum(toInt128(`id`))) || '/' || toString(count(`id`))) AS `m3`, CAST(if(count(`id`) > 1, stddevSampStable(CAST(`id` AS Float64)), NULL) AS DOUBLE) AS `m4`, quantileExactInclusive(%(param_1)s)(CAST(`id` AS Float64)) AS `m5`, CAST(count(CASE WHEN (`id` IS NULL) THEN 1 END) AS DOUBLE) / nullif(count(*), 0) AS `m6` 
FROM `analytics`.`orders`
-- param_1: 0.5
