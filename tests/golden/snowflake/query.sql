SELECT count(*) AS count_1 
FROM (
select * from "PUBLIC"."ORDERS" where amount < 0
) AS dq_query
