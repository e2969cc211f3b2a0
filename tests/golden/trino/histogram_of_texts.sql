SELECT dq_ranked.dq_bin, dq_ranked.dq_rows, dq_ranked.dq_total, 0 
FROM (SELECT dq_counted.dq_bin AS dq_bin, dq_counted.dq_rows AS dq_rows, sum(dq_counted.dq_rows) OVER () AS dq_total, row_number() OVER (ORDER BY dq_counted.dq_rows DESC) AS dq_place 
FROM (SELECT dq_bins.dq_bin AS dq_bin, count(*) AS dq_rows 
FROM (SELECT CAST(dq_rows.dq_column0 AS VARCHAR) AS dq_bin 
FROM (SELECT "email" AS dq_column0 
FROM "analytics"."orders") AS dq_rows) AS dq_bins GROUP BY dq_bins.dq_bin) AS dq_counted) AS dq_ranked 
WHERE dq_ranked.dq_bin IS NULL OR dq_ranked.dq_place = 1 OR dq_ranked.dq_rows * 200 >= dq_ranked.dq_total
