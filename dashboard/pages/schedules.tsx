/** The schedules of a service: when they send next, and their verbs. */
import type { Schedules } from "../api.ts"
import { count, full } from "../format.ts"
import { Shown, Table, Text, Time } from "../parts.tsx"
import { serviceUrl, useData } from "../state.tsx"
import { VerbButton } from "../verbs.tsx"

type Schedule = Schedules[number]

const Verbs = ({ schedule: { name, paused }, service }: {
  readonly service: string
  readonly schedule: Schedule
}) => (
  <div class="row">
    <VerbButton
      service={service}
      of={name}
      verb={() => ({ verb: "trigger", schedule: name })}
      question={`Sends the action of ${name} now, besides its slots.`}
    >
      Send now
    </VerbButton>
    {paused === null
      ? (
        <VerbButton
          service={service}
          of={name}
          verb={() => ({ verb: "pauseSchedule", schedule: name })}
          question={`${name} sends nothing until it is resumed. Slots that pass meanwhile are not sent.`}
        >
          Pause
        </VerbButton>
      )
      : (
        <VerbButton
          service={service}
          of={name}
          verb={() => ({ verb: "resumeSchedule", schedule: name })}
          question={`${name} sends again from its next slot on.`}
        >
          Resume
        </VerbButton>
      )}
  </div>
)

export const ScheduleList = ({ service }: { readonly service: string }) => (
  <Shown
    data={useData<Schedules>(serviceUrl(service, "/schedules"))}
    empty={(found) => found.length === 0 ? "This service has no schedules" : undefined}
  >
    {(schedules) => (
      <Table
        label="Schedules"
        columns={[
          ["Schedule"],
          ["Type"],
          ["Recurs"],
          ["Next"],
          ["Last"],
          ["Sent", "number"],
          ["Skipped", "number"],
          ["Verbs", "hidden"]
        ]}
      >
        {schedules.map((schedule) => (
          <tr key={schedule.name}>
            <th scope="row"><Text>{schedule.name}</Text></th>
            <td><Text>{schedule.actionType}</Text></td>
            <td><Text>{schedule.recurrence}</Text></td>
            <td>
              {schedule.paused !== null
                ? <span class="badge note">{`paused: ${schedule.paused}`}</span>
                : schedule.origin === "orphaned"
                ? <span class="badge warn" title="Workers declared it, and none does any more">orphaned</span>
                : (
                  <>
                    <Time at={schedule.next} />
                    {schedule.next !== null && <span class="quiet">{` ${full(schedule.next)}`}</span>}
                  </>
                )}
            </td>
            <td><Time at={schedule.last} past /></td>
            <td class="number">{count(schedule.fired)}</td>
            <td class={schedule.skipped === 0 ? "number zero" : "number"}>{count(schedule.skipped)}</td>
            <td class="end"><Verbs service={service} schedule={schedule} /></td>
          </tr>
        ))}
      </Table>
    )}
  </Shown>
)
