SELECT CAST("ID" AS VARCHAR) AS dq_0, CAST(FLOOR(MD5_NUMBER_UPPER64((coalesce(CAST("ID" AS VARCHAR), '') || '|') || (coalesce(CAST(length(CAST("EMAIL" AS TEXT)) AS VARCHAR) || ':' || CAST("EMAIL" AS TEXT), '') || '|')) / 16) AS BIGINT) AS dq_1 
FROM "PUBLIC"."ORDERS" 
WHERE "ID" >= 1 AND "ID" < 2049 OR "ID" >= 5121 AND "ID" < 6145
 LIMIT %(param_1)s
-- param_1: 11
