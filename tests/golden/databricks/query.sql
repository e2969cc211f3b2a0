SELECT count(*) AS count_1 
FROM (
select * from `analytics`.`orders` where amount < 0
) AS dq_query
