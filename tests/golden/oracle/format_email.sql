SELECT count(CASE WHEN ("EMAIL" IS NOT NULL AND NOT (REGEXP_LIKE((CAST("EMAIL" AS VARCHAR2(4000)) COLLATE BINARY), '^(' || REPLACE(:param_1, '(?:', '(') || ')$', 'c') AND (length((CAST("EMAIL" AS VARCHAR2(4000)) COLLATE BINARY)) <= 64 OR length((CAST("EMAIL" AS VARCHAR2(4000)) COLLATE BINARY)) <= 254 AND REGEXP_LIKE((CAST("EMAIL" AS VARCHAR2(4000)) COLLATE BINARY), '^(' || REPLACE(:param_2, '(?:', '(') || ')$', 'c')))) THEN 1 END) AS m0 
FROM "ANALYTICS"."ORDERS"
-- param_1: "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@(?:[A-Za-z0-9](?:-*[A-Za-z0-9])*\\.)+[A-Za-z](?:-*[A-Za-z0-9])+"
-- param_2: '[^@]{1,64}@[^@.]{1,63}(?:\\.[^@.]{1,63})+'
