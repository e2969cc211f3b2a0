SELECT count(CASE WHEN ("EMAIL" IS NOT NULL AND NOT REGEXP_LIKE((CAST("EMAIL" AS VARCHAR2(4000)) COLLATE BINARY), '^(' || REPLACE(:param_1, '(?:', '(') || ')$', 'c')) THEN 1 END) AS m0 
FROM "ANALYTICS"."ORDERS"
-- param_1: '(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\\.(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\\.(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\\.(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])'
