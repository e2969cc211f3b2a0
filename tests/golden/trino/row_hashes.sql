SELECT CAST("id" AS VARCHAR) AS dq_0, FROM_BASE(SUBSTR(TO_HEX(MD5(TO_UTF8((coalesce(CAST("id" AS VARCHAR), '') || '|') || (coalesce(CAST(length(CAST("email" AS VARCHAR)) AS VARCHAR) || ':' || CAST("email" AS VARCHAR), '') || '|')))), 1, 15), 16) AS dq_1 
FROM "analytics"."orders" 
WHERE "id" >= 1 AND "id" < 2049 OR "id" >= 5121 AND "id" < 6145
LIMIT ?
-- param_1: 11
