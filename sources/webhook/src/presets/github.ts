// GitHub: signatures as GitHub documents them, attributes as the CloudEvents GitHub adapter says. Where the adapter names
// a field that the payload lacks, the next best stands behind it; its open questions are settled with a dot before the
// action, and the event's name is that of the header: `issues`, as in the adapter's text of 2024.

import type { PresetTemplates } from '../mapping.ts'
import type { Preset } from '../preset.ts'

const TYPE = 'com.github.{header.x-github-event}'
const OWNER = '{body.repository.owner.url|body.organization.url}'
const ORGANIZATION = '{body.organization.url}'
const ACCOUNT = '{body.installation.account.url|body.account.url|body.organization.url|body.sender.url}'
const DEPLOYMENT = '{body.deployment.url|body.repository.url}'
const PULL_REQUEST = '{body.pull_request.url}'

/** What an event has otherwise than the repository as source, and its action in its type. */
const EVENTS: Readonly<Record<string, PresetTemplates>> = {
  branch_protection_rule: { subject: '{body.rule.id}', time: '{body.rule.updated_at}' },
  check_run: { subject: '{body.check_run.id}', time: '{body.check_run.completed_at|body.check_run.started_at}' },
  check_suite: { subject: '{body.check_suite.id}', time: '{body.check_suite.updated_at}' },
  code_scanning_alert: { subject: '{body.alert.number}' },
  commit_comment: {
    source: '{body.comment.url}/{body.comment.commit_id}',
    subject: '{body.comment.id}',
    time: '{body.comment.updated_at}',
  },
  content_reference: { subject: '{body.content_reference.id}' },
  create: { type: `${TYPE}.{body.ref_type}`, subject: '{body.ref}' },
  custom_property: { subject: '{body.definition.property_name}' },
  delete: { type: `${TYPE}.{body.ref_type}`, subject: '{body.ref}' },
  dependabot_alert: { subject: '{body.alert.id|body.alert.number}' },
  deploy_key: { subject: '{body.key.id}', time: '{body.key.deleted_at|body.key.created_at}' },
  deployment: { type: TYPE, subject: '{body.deployment.id}', time: '{body.deployment.updated_at}' },
  deployment_protection_rule: { source: DEPLOYMENT, subject: '{body.deployment.id}' },
  deployment_review: { source: DEPLOYMENT, subject: '{body.workflow_run.id}' },
  deployment_status: {
    type: `${TYPE}.{body.deployment_status.state}`,
    source: '{body.deployment.url}',
    subject: '{body.deployment_status.url}',
    time: '{body.deployment_status.updated_at}',
  },
  discussion: { subject: '{body.discussion.id}' },
  discussion_comment: { subject: '{body.discussion.id}', time: '{body.comment.updated_at}' },
  fork: { type: TYPE, subject: '{body.forkee.url}', time: '{body.forkee.created_at}' },
  github_app_authorization: { type: TYPE, source: '{body.sender.url}' },
  gollum: { type: TYPE },
  installation: { source: ACCOUNT, subject: '{body.installation.id}', time: '{body.installation.updated_at}' },
  installation_repositories: {
    source: ACCOUNT,
    subject: '{body.installation.id}',
    time: '{body.installation.updated_at}',
  },
  installation_target: { source: ACCOUNT, subject: '{body.installation.id}' },
  issue_comment: { source: '{body.issue.url}', subject: '{body.comment.id}', time: '{body.comment.updated_at}' },
  issues: { subject: '{body.issue.number}', time: '{body.issue.updated_at}' },
  label: { subject: '{body.label.name}' },
  marketplace_purchase: {
    source: '{parent(body.sender.url)}',
    subject: '{body.marketplace_purchase.account.login}',
    time: '{body.effective_date}',
  },
  member: { subject: '{body.member.login}' },
  membership: {
    type: `${TYPE}.{body.scope}.{body.action}`,
    source: '{body.team.url|body.organization.url}',
    subject: '{body.member.login}',
  },
  merge_group: { subject: '{body.merge_group.head_ref}' },
  meta: { subject: '{body.hook_id}', time: '{body.hook.updated_at}' },
  milestone: { subject: '{body.milestone.number}', time: '{body.milestone.updated_at}' },
  organization: { source: ORGANIZATION, subject: '{body.membership.user.login}' },
  org_block: { source: ORGANIZATION, subject: '{body.blocked_user.login}' },
  package: { subject: '{body.package.id}', time: '{body.package.updated_at|body.package.created_at}' },
  page_build: { type: TYPE, subject: '{body.build.url}', time: '{body.pusher.updated_at|body.build.updated_at}' },
  project: { subject: '{body.project.id}', time: '{body.project.updated_at}' },
  project_card: { subject: '{body.project_card.id}', time: '{body.project_card.updated_at}' },
  project_column: { subject: '{body.project_column.id}', time: '{body.project_column.updated_at}' },
  projects_v2: { subject: '{body.projects_v2.id}', time: '{body.projects_v2.updated_at}' },
  projects_v2_item: { subject: '{body.projects_v2_item.id}', time: '{body.projects_v2_item.updated_at}' },
  projects_v2_status_update: {
    subject: '{body.projects_v2_status_update.id}',
    time: '{body.projects_v2_status_update.updated_at}',
  },
  public: { type: TYPE, source: OWNER, subject: '{body.repository.name}', time: '{body.repository.updated_at}' },
  pull_request: { subject: '{body.number}', time: '{body.pull_request.updated_at}' },
  pull_request_review: { source: PULL_REQUEST, subject: '{body.review.id}', time: '{body.review.submitted_at}' },
  pull_request_review_comment: {
    source: PULL_REQUEST,
    subject: '{body.comment.id}',
    time: '{body.pull_request.updated_at}',
  },
  pull_request_review_thread: { source: PULL_REQUEST, subject: '{body.pull_request.id}' },
  push: { type: TYPE, subject: '{body.ref}' },
  registry_package: {
    subject: '{body.registry_package.html_url}',
    time: '{body.registry_package.updated_at}',
  },
  release: { subject: '{body.release.id}', time: '{body.release.published_at|body.release.created_at}' },
  repository: { source: OWNER, subject: '{body.repository.name}', time: '{body.repository.updated_at}' },
  repository_advisory: {
    subject: '{body.repository_advisory.ghsa_id}',
    time: '{body.repository_advisory.updated_at}',
  },
  repository_dispatch: { source: OWNER },
  repository_import: {
    type: TYPE,
    source: OWNER,
    subject: '{body.repository.name}',
    time: '{body.repository.updated_at}',
  },
  repository_ruleset: { source: OWNER, subject: '{body.repository.name}', time: '{body.repository.updated_at}' },
  repository_vulnerability_alert: { subject: '{body.alert.id}' },
  secret_scanning_alert: { subject: '{body.alert.number}', time: '{body.alert.updated_at|body.alert.created_at}' },
  secret_scanning_alert_location: {
    subject: '{body.alert.number}',
    time: '{body.alert.updated_at|body.alert.created_at}',
  },
  security_advisory: {
    source: 'github.com',
    subject: '{body.security_advisory.ghsa_id}',
    time: '{body.security_advisory.updated_at}',
  },
  security_and_analysis: { type: TYPE },
  sponsorship: { subject: '{body.sponsorship.sponsor.login}' },
  star: { time: '{body.starred_at}' },
  status: { type: `${TYPE}.{body.state}`, subject: '{body.sha}', time: '{body.updated_at}' },
  team: { subject: '{body.team.id}', time: '{body.updated_at}' },
  team_add: { subject: '{body.team.id}' },
  workflow_dispatch: { type: TYPE, subject: '{body.workflow}' },
  workflow_job: { subject: '{body.workflow_job.name}' },
  workflow_run: { subject: '{body.workflow.name}' },
}

export const github: Preset = {
  ways: [
    {
      scheme: 'hmac',
      header: 'x-hub-signature-256',
      prefix: 'sha256=',
      algorithm: 'sha256',
      encoding: 'hex',
      keyEncoding: 'utf8',
      content: '{body}',
    },
  ],
  event: {
    type: `${TYPE}[.{body.action}]`,
    source: '{body.repository.url|body.organization.url|body.enterprise.url|body.sender.url}',
    id: '{header.x-github-delivery}',
  },
  byEvent: { key: '{header.x-github-event}', of: EVENTS },
  delivery: '{header.x-github-delivery}',
  formField: 'payload',
  greetings: [{ when: { '{header.x-github-event}': 'ping' }, answer: { status: 200 } }],
  answer: 202,
  example: {
    contentType: 'application/json',
    headers: ['x-github-event', '{event}', 'x-github-delivery', '{uuid}'],
  },
}
