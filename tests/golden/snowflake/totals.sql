SELECT "DAY" AS dq_0, "MADE" AS dq_1, count(*) AS dq_2 
FROM "PUBLIC"."ORDERS" GROUP BY "DAY", "MADE"
 LIMIT %(param_1)s
-- param_1: 11
