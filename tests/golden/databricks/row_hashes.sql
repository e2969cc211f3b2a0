SELECT CAST(`id` AS STRING) AS dq_0, CAST(CONV(SUBSTR(MD5((coalesce(CAST(`id` AS STRING), '') || '|') || (COALESCE(CAST(LENGTH(CAST(`email` AS STRING)) AS STRING) || ':' || CAST(`email` AS STRING), '') || '|')), 1, 15), 16, 10) AS BIGINT) AS dq_1 
FROM `analytics`.`orders` 
WHERE `id` >= 1 AND `id` < 2049 OR `id` >= 5121 AND `id` < 6145
 LIMIT :`param_1`
-- param_1: 11
