SELECT count(CASE WHEN ("email" IS NOT NULL AND NOT REGEXP_LIKE(CAST("email" AS VARCHAR), '\A(?:' || ? || ')\z')) THEN 1 END) AS m0 
FROM "analytics"."orders"
-- param_1: '\\+[1-9][0-9]{6,14}'
