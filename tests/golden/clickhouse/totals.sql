SELECT `day` AS `dq_0`, `made` AS `dq_1`, count(*) AS `dq_2` 
FROM `analytics`.`orders` GROUP BY `day`, `made`
 LIMIT %(param_1)s
-- param_1: 11
