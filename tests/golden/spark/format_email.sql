SELECT count(CASE WHEN (`email` IS NOT NULL AND NOT ((CAST(`email` AS STRING) RLIKE ('\\A(?:' || %(param_1)s || ')\\z')) AND (length(CAST(`email` AS STRING)) <= 64 OR length(CAST(`email` AS STRING)) <= 254 AND (CAST(`email` AS STRING) RLIKE ('\\A(?:' || %(param_2)s || ')\\z'))))) THEN 1 END) AS `m0` 
FROM `analytics`.`orders`
-- param_1: "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@(?:[A-Za-z0-9](?:-*[A-Za-z0-9])*\\.)+[A-Za-z](?:-*[A-Za-z0-9])+"
-- param_2: '[^@]{1,64}@[^@.]{1,63}(?:\\.[^@.]{1,63})+'
