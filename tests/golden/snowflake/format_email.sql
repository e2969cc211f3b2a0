SELECT count(CASE WHEN ("EMAIL" IS NOT NULL AND NOT (REGEXP_LIKE(CAST("EMAIL" AS TEXT), REPLACE(%(param_1)s, '(?:', '(')) AND (length(CAST("EMAIL" AS TEXT)) <= 64 OR length(CAST("EMAIL" AS TEXT)) <= 254 AND REGEXP_LIKE(CAST("EMAIL" AS TEXT), REPLACE(%(param_2)s, '(?:', '('))))) THEN 1 END) AS m0 
FROM "PUBLIC"."ORDERS"
-- param_1: "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@(?:[A-Za-z0-9](?:-*[A-Za-z0-9])*\\.)+[A-Za-z](?:-*[A-Za-z0-9])+"
-- param_2: '[^@]{1,64}@[^@.]{1,63}(?:\\.[^@.]{1,63})+'
