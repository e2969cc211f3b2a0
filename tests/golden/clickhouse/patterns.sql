SELECT count(CASE WHEN (`email` IS NOT NULL AND NOT match(CAST(`email` AS TEXT), '(?-s)' || %(param_1)s)) THEN 1 END) AS `m0`, count(CASE WHEN (`email` IS NOT NULL AND match(CAST(`email` AS TEXT), '(?-s)' || %(param_2)s)) THEN 1 END) AS `m1`, count(CASE WHEN (`email` IS NOT NULL AND NOT (CAST(`email` AS TEXT) LIKE %(param_3)s)) THEN 1 END) AS `m2`, count(CASE WHEN (`email` IS NOT NULL AND NOT (CAST(`email` AS TEXT) LIKE replaceRegexpAll(%(param_4)s, '\\\\([^\\x25_\\\\])', '\\1'))) THEN 1 END) AS `m3`, count(CASE WHEN (`email` IS NOT NULL AND (lengthUTF8(CAST(`email` AS TEXT)) < %(length_1)s OR lengthUTF8(CAST(`email` AS TEXT)) > %(length_2)s)) THEN 1 END) AS `m4` 
FROM `analytics`.`orders`
-- param_1: '@[a-z]+\\.'
-- param_2: '%'
-- param_3: 'a%'
-- param_4: 'a\\%_'
-- length_1: 1
-- length_2: 10
