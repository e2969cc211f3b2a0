SELECT count(CASE WHEN (`dq_rows`.`id` IS NOT NULL AND `known`.`id` IS NULL) THEN 1 END) AS `m0` 
FROM (SELECT `id` AS `id` 
FROM `analytics`.`orders`) AS `dq_rows` LEFT OUTER JOIN (SELECT DISTINCT `dq_other`.`id` AS `id` 
FROM (SELECT `id` AS `id` 
FROM `analytics`.`Customers` 
WHERE (region = 'EU'
)) AS `dq_other`) AS `known` ON `dq_rows`.`id` = `known`.`id`
