SELECT CAST("id" AS VARCHAR) AS dq_0, STRTOL(SUBSTRING(MD5((coalesce(CAST("id" AS VARCHAR), '') || '|') || (coalesce(CAST(length(COLLATE(CAST("email" AS VARCHAR(65535)), 'case_sensitive')) AS VARCHAR) || ':' || COLLATE(CAST("email" AS VARCHAR(65535)), 'case_sensitive'), '') || '|')), 1, 15), 16) AS dq_1 
FROM "analytics"."orders" 
WHERE "id" >= 1 AND "id" < 2049 OR "id" >= 5121 AND "id" < 6145 
 LIMIT %(param_1)s
-- param_1: 11
