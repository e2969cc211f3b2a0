SELECT min(NULLIF(`rate`, CAST('NaN' AS DOUBLE))) AS m0, max(NULLIF(`rate`, CAST('NaN' AS DOUBLE))) AS m1, CAST(SUM(CAST(NULLIF(`rate`, CAST('NaN' AS DOUBLE)) AS DOUBLE)) AS DOUBLE) AS m2, CAST(AVG(NULLIF(`rate`, CAST('NaN' AS DOUBLE))) AS DOUBLE) AS m3, CAST(stddev_samp(NULLIF(`rate`, CAST('NaN' AS DOUBLE))) AS DOUBLE) AS m4, PERCENTILE(CAST(NULLIF(`rate`, CAST('NaN' AS DOUBLE)) AS DOUBLE), :`param_1`) AS m5, CAST(count(CASE WHEN (`rate` IS NULL) THEN 1 END) AS DOUBLE) / nullif(count(*), 0) AS m6 
FROM `analytics`.`orders`
-- param_1: 0.5
