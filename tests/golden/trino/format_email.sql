SELECT count(CASE WHEN ("email" IS NOT NULL AND NOT (REGEXP_LIKE(CAST("email" AS VARCHAR), '\A(?:' || ? || ')\z') AND (length(CAST("email" AS VARCHAR)) <= 64 OR length(CAST("email" AS VARCHAR)) <= 254 AND REGEXP_LIKE(CAST("email" AS VARCHAR), '\A(?:' || ? || ')\z')))) THEN 1 END) AS m0 
FROM "analytics"."orders"
-- param_1: "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@(?:[A-Za-z0-9](?:-*[A-Za-z0-9])*\\.)+[A-Za-z](?:-*[A-Za-z0-9])+"
-- param_2: '[^@]{1,64}@[^@.]{1,63}(?:\\.[^@.]{1,63})+'
