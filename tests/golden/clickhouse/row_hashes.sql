SELECT toString(`id`) AS `dq_0`, toInt64(bitShiftRight(reinterpretAsUInt64(reverse(substring(MD5((coalesce(toString(`id`), '') || '|') || (coalesce(toString(lengthUTF8(CAST(`email` AS TEXT))) || ':' || CAST(`email` AS TEXT), '') || '|')), 1, 8))), 4)) AS `dq_1` 
FROM `analytics`.`orders` 
WHERE `id` >= 1 AND `id` < 2049 OR `id` >= 5121 AND `id` < 6145
 LIMIT %(param_1)s
-- param_1: 11
