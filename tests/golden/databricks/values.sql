SELECT count(CASE WHEN ((CAST(`email` AS STRING) NOT IN (:`param_1`, :`param_2`, :`param_3`, :`param_4`)) AND `email` IS NOT NULL) THEN 1 END) AS m0, count(CASE WHEN ((translate(CAST(`email` AS STRING), :`param_5`, :`param_6`) NOT IN (:`param_7`, :`param_8`)) AND `email` IS NOT NULL) THEN 1 END) AS m1, count(CASE WHEN (`is_open` IS NOT NULL AND `is_open` IN (:`param_9`)) THEN 1 END) AS m2, count(CASE WHEN (`day` IS NOT NULL AND `day` IN (:`param_10`)) THEN 1 END) AS m3, count(CASE WHEN (`name` IS NOT NULL AND (CAST(`name` AS STRING) COLLATE UTF8_BINARY) IN (:`param_11`)) THEN 1 END) AS m4, count(CASE WHEN (`Mixed` IS NOT NULL AND CAST(`Mixed` AS STRING) IN (:`param_12`)) THEN 1 END) AS m5 
FROM `analytics`.`orders`
-- param_1: 'a'
-- param_2: "it's"
-- param_3: '100%'
-- param_4: 'back\\slash'
-- param_5: 'BÄ'
-- param_6: 'bä'
-- param_7: 'ä'
-- param_8: 'b'
-- param_9: True
-- param_10: datetime.datetime(2026, 1, 1, 0, 0)
-- param_11: 'x'
-- param_12: 'x'
