SELECT count(CASE WHEN ("EMAIL" IS NOT NULL AND NOT REGEXP_LIKE((CAST("EMAIL" AS VARCHAR2(4000)) COLLATE BINARY), '^(' || REPLACE(:param_1, '(?:', '(') || ')$', 'c')) THEN 1 END) AS m0 
FROM "ANALYTICS"."ORDERS"
-- param_1: '[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}'
