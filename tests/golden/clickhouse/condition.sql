SELECT count(CASE WHEN (NOT (amount > 0 or email like '%%x%%'
)) THEN 1 END) AS `m0` 
FROM `analytics`.`orders`
