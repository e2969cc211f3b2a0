"""What Dagster's web server is asked, in its GraphQL. https://docs.dagster.io/api/graphql."""

from __future__ import annotations

RUNS = """
query ($filter: RunsFilter, $limit: Int, $cursor: String) {
  runsOrError(filter: $filter, limit: $limit, cursor: $cursor) {
    __typename
    ... on Runs { results { runId jobName status startTime endTime updateTime tags { key value } } }
    ... on Error { message }
  }
}"""

ASSETS = """
query ($after: String) {
  assetNodes {
    assetKey { path }
    assetMaterializations(afterTimestampMillis: $after, limit: 1000) {
      runId timestamp
      metadataEntries { label ... on IntMetadataEntry { intValue } ... on TextMetadataEntry { text } }
    }
  }
}"""

JOBS = """
query {
  repositoriesOrError {
    __typename
    ... on RepositoryConnection {
      nodes { jobs { name } schedules { pipelineName cronSchedule executionTimezone scheduleState { status } } }
    }
    ... on Error { message }
  }
}"""

ERRORS = """
query ($run: ID!, $cursor: String) {
  logsForRun(runId: $run, afterCursor: $cursor, limit: 1000) {
    __typename
    ... on EventConnection {
      cursor hasMore
      events {
        __typename
        ... on ExecutionStepFailureEvent { stepKey error { message cause { message } } }
        ... on RunFailureEvent { message }
      }
    }
    ... on Error { message }
  }
}"""
