SELECT count(*) AS count_1 
FROM (
select * from "ANALYTICS"."ORDERS" where amount < 0
) dq_query
