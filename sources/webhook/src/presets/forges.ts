// GitLab and Bitbucket.

import type { Preset } from '../preset.ts'
import { STANDARD_HMAC } from './standards.ts'

const GITLAB_TIME = '{body.object_attributes.created_at}'

/** Attributes as the CloudEvents GitLab adapter says. A secret that begins with `whsec_` is a signing token. */
export const gitlab: Preset = {
  ways: [{ scheme: 'token', header: 'x-gitlab-token' }, STANDARD_HMAC],
  event: {
    type: 'com.gitlab.{body.object_kind|body.event_name}[.{body.object_attributes.action|body.action}]',
    source:
      '{body.repository.homepage|body.project.web_url|body.group.web_url|body.project_path|header.x-gitlab-instance}',
    id: '{header.idempotency-key|header.webhook-id|header.x-gitlab-event-uuid}',
  },
  byEvent: {
    key: '{body.object_kind}',
    of: {
      push: { type: 'com.gitlab.push', subject: '{body.checkout_sha}' },
      tag_push: { type: 'com.gitlab.tag_push', subject: '{body.ref}' },
      issue: { type: 'com.gitlab.issue.{body.object_attributes.state}', subject: '{body.object_attributes.iid}' },
      merge_request: {
        type: 'com.gitlab.merge_request.{body.object_attributes.action|body.object_attributes.state}',
        subject: '{body.object_attributes.iid}',
      },
      note: {
        type: 'com.gitlab.note.{snake(body.object_attributes.noteable_type)}',
        source: '{body.commit.url|bare(body.object_attributes.url)}',
        subject: '{body.object_attributes.id}',
        time: GITLAB_TIME,
      },
      wiki_page: {
        type: 'com.gitlab.wiki_page.{body.object_attributes.action}',
        source: '{body.project.web_url}',
        subject: '{body.object_attributes.slug}',
      },
      pipeline: {
        type: 'com.gitlab.pipeline.{body.object_attributes.status}',
        source: '{body.project.web_url}',
        subject: '{body.object_attributes.id}',
      },
      build: {
        type: 'com.gitlab.job.{body.build_status}',
        subject: '{body.build_id}',
      },
      job: { type: 'com.gitlab.job.{body.job_status|body.build_status}', subject: '{body.job_id|body.build_id}' },
    },
  },
  delivery: '{header.idempotency-key|header.webhook-id}',
  answer: 200,
  example: {
    contentType: 'application/json',
    headers: ['x-gitlab-event', '{event}', 'x-gitlab-event-uuid', '{uuid}', 'webhook-id', '{uuid}'],
  },
}

/** Bitbucket Cloud and Data Center: the same signature, other names of the request. */
export const bitbucket: Preset = {
  ways: [
    {
      scheme: 'hmac',
      header: 'x-hub-signature',
      prefix: 'sha256=',
      algorithm: 'sha256',
      encoding: 'hex',
      keyEncoding: 'utf8',
      content: '{body}',
    },
  ],
  event: {
    type: 'com.bitbucket.{dots(header.x-event-key)}',
    source: '{body.repository.links.html.href|body.repository.links.self.0.href|header.x-hook-uuid}',
    subject: '{body.pullrequest.id|body.pullRequest.id|body.issue.id|body.commit_status.key}',
    id: '{header.x-request-uuid|header.x-request-id}',
    time: '{body.date}',
  },
  delivery: '{header.x-request-uuid|header.x-request-id}',
  greetings: [{ when: { '{header.x-event-key}': 'diagnostics:ping' }, answer: { status: 200 } }],
  answer: 200,
  example: {
    contentType: 'application/json',
    headers: ['x-event-key', '{event}', 'x-request-uuid', '{uuid}', 'x-hook-uuid', '{uuid}'],
  },
}
