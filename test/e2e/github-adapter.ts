// What the CloudEvents GitHub adapter says of events that have something otherwise than the rest: source, type, subject and
// time as values of the payload. Written by its text, and not by our table, so that the two can be compared.

type Json = Readonly<Record<string, any>> // oxlint-disable-line typescript/no-explicit-any -- payloads of sixty kinds

/** `undefined`: the adapter leaves it out, or says "current time". */
export interface Said {
  readonly type: string
  readonly source: string | undefined
  readonly subject?: string
  readonly time?: string
}

/* oxlint-disable typescript/no-unsafe-member-access, typescript/no-unsafe-assignment, typescript/restrict-template-expressions */
const SAID: Readonly<Record<string, (body: Json) => Said>> = {
  check_suite: (b) => usual(b, `check_suite.${b['action']}`, b['check_suite'].id, b['check_suite'].updated_at),
  commit_comment: (b) => ({
    ...usual(b, `commit_comment.${b['action']}`, b['comment'].id, b['comment'].updated_at),
    source: `${b['comment'].url}/${b['comment'].commit_id}`,
  }),
  create: (b) => usual(b, `create.${b['ref_type']}`, b['ref']),
  delete: (b) => usual(b, `delete.${b['ref_type']}`, b['ref']),
  deployment: (b) => usual(b, 'deployment', b['deployment'].id, b['deployment'].updated_at),
  deployment_status: (b) => ({
    ...usual(b, `deployment_status.${b['deployment_status'].state}`, b['deployment_status'].url),
    source: b['deployment'].url,
    time: b['deployment_status'].updated_at,
  }),
  fork: (b) => usual(b, 'fork', b['forkee'].url, b['forkee'].created_at),
  github_app_authorization: (b) => ({ type: 'com.github.github_app_authorization', source: b['sender'].url }),
  gollum: (b) => usual(b, 'gollum'),
  issue_comment: (b) => ({
    ...usual(b, `issue_comment.${b['action']}`, b['comment'].id, b['comment'].updated_at),
    source: b['issue'].url,
  }),
  issues: (b) => usual(b, `issues.${b['action']}`, b['issue'].number, b['issue'].updated_at),
  label: (b) => usual(b, `label.${b['action']}`, b['label'].name),
  marketplace_purchase: (b) => ({
    type: `com.github.marketplace_purchase.${b['action']}`,
    source: 'https://api.github.com/users',
    subject: b['marketplace_purchase'].account.login,
    time: b['effective_date'],
  }),
  membership: (b) => ({
    type: `com.github.membership.${b['scope']}.${b['action']}`,
    source: b['team'].url,
    subject: b['member'].login,
  }),
  milestone: (b) => usual(b, `milestone.${b['action']}`, b['milestone'].number, b['milestone'].updated_at),
  org_block: (b) => ({
    type: `com.github.org_block.${b['action']}`,
    source: b['organization'].url,
    subject: b['blocked_user'].login,
  }),
  public: (b) => ({ ...usual(b, 'public', b['repository'].name), source: b['repository'].owner.url }),
  pull_request: (b) => usual(b, `pull_request.${b['action']}`, b['number'], b['pull_request'].updated_at),
  pull_request_review: (b) => ({
    ...usual(b, `pull_request_review.${b['action']}`, b['review'].id, b['review'].submitted_at),
    source: b['pull_request'].url,
  }),
  push: (b) => usual(b, 'push', b['ref']),
  repository: (b) => ({
    ...usual(b, `repository.${b['action']}`, b['repository'].name),
    source: b['repository'].owner.url,
  }),
  security_advisory: (b) => ({
    type: `com.github.security_advisory.${b['action']}`,
    source: 'github.com',
    subject: b['security_advisory'].ghsa_id,
    time: b['security_advisory'].updated_at,
  }),
  status: (b) => usual(b, `status.${b['state']}`, b['sha'], b['updated_at']),
  watch: (b) => usual(b, `watch.${b['action']}`),
  workflow_run: (b) => usual(b, `workflow_run.${b['action']}`, b['workflow']?.name),
}

function usual(body: Json, type: string, subject?: string | number | null, time?: string | null): Said {
  return {
    type: `com.github.${type}`,
    source: body['repository'].url,
    ...(subject !== undefined && subject !== null && { subject: String(subject) }),
    ...(typeof time === 'string' && { time }),
  }
}

/** Of an event, where its section is among these. */
export function adapterSays(name: string, body: Json): Said | undefined {
  return SAID[name]?.(body)
}
