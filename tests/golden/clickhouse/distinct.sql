SELECT nullif(count(CASE WHEN (`dq_keys`.`dq_column0` IS NOT NULL) THEN 1 END), 0) AS `m0`, CAST(count(CASE WHEN (`dq_keys`.`dq_column0` IS NOT NULL) THEN 1 END) AS DOUBLE) / CAST(sum(CASE WHEN (`dq_keys`.`dq_column0` IS NOT NULL) THEN `dq_keys`.`dq_count` END) AS DOUBLE) AS `m1` 
FROM (SELECT `dq_rows`.`dq_column0` AS `dq_column0`, count(*) AS `dq_count` 
FROM (SELECT `email` AS `dq_column0` 
FROM `analytics`.`orders`) AS `dq_rows` GROUP BY `dq_rows`.`dq_column0`) AS `dq_keys`
