SELECT count(CASE WHEN (`email` IS NOT NULL AND NOT (match(CAST(`email` AS TEXT), '^(?:' || %(param_1)s || ')$') AND (lengthUTF8(CAST(`email` AS TEXT)) <= 64 OR lengthUTF8(CAST(`email` AS TEXT)) <= 254 AND match(CAST(`email` AS TEXT), '^(?:' || %(param_2)s || ')$')))) THEN 1 END) AS `m0` 
FROM `analytics`.`orders`
-- param_1: "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@(?:[A-Za-z0-9](?:-*[A-Za-z0-9])*\\.)+[A-Za-z](?:-*[A-Za-z0-9])+"
-- param_2: '[^@]{1,64}@[^@.]{1,63}(?:\\.[^@.]{1,63})+'
