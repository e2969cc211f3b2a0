SELECT count(CASE WHEN (dq_rows.id IS NOT NULL AND known.id IS NULL) THEN 1 END) AS m0 
FROM (SELECT "ID" AS id 
FROM "ANALYTICS"."ORDERS") dq_rows LEFT OUTER JOIN (SELECT DISTINCT dq_other.id AS id 
FROM (SELECT "ID" AS id 
FROM "ANALYTICS"."Customers" 
WHERE (region = 'EU'
)) dq_other) known ON dq_rows.id = known.id
