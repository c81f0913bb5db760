/** What is wrong now and what was; the rules that say so; who is told. */
import { post } from "../../api/client";
import type { Alarm, Items } from "../../api/types";
import { useAlarms, useAlarmTotal } from "../../live/alarms";
import { Button, Card, Empty, Notice, SeverityBadge, Tabs, Time } from "../../parts/basics";
import { useOverlays } from "../../parts/overlays";
import { useQuery } from "../../parts/use_query";
import { Link, useParameter } from "../../router";
import { useMay } from "../../session";
import { duration, plural } from "../../words";
import { ReceiverList } from "./receivers";
import { RuleList } from "./rules";

type View = "active" | "past" | "rules" | "receivers";

export function AlarmsPage() {
  const [view, setView] = useParameter("view", "active");
  const total = useAlarmTotal();
  return (
    <div className="page page-narrow">
      <header className="page-head">
        <h1>Alarms</h1>
        <Tabs
          label="View"
          value={view as View}
          options={[
            [
              "active",
              <>
                Active <b className="chip-count">{total}</b>
              </>,
            ],
            ["past", "Past"],
            ["rules", "Rules"],
            ["receivers", "Receivers"],
          ]}
          onChange={setView}
        />
      </header>
      {view === "rules" ? <RuleList /> : view === "receivers" ? <ReceiverList /> : view === "past" ? <Past /> : <Active />}
    </div>
  );
}

function Active() {
  const alarms = useAlarms();
  const total = useAlarmTotal();
  return (
    <Card title={plural(total, "active alarm")}>
      {alarms.length === 0 ? (
        <Empty title="No alarm: no rule sees anything wrong.">
          <p>
            <Link to="/alarms?view=rules">The rules</Link> say what is looked at.
          </p>
        </Empty>
      ) : (
        <ul className="alarms">
          {alarms.map((alarm) => (
            <Item key={alarm.id} alarm={alarm} />
          ))}
        </ul>
      )}
      {total > alarms.length && <p className="dim">and {total - alarms.length} older ones</p>}
    </Card>
  );
}

function Past() {
  const { data, error } = useQuery<Items<Alarm>>("/api/alarms?state=past&limit=300", 10_000);
  return (
    <Card title="Past alarms">
      {error && <Notice kind="bad">{error}</Notice>}
      {data?.items.length === 0 && <Empty title="There has been none." />}
      <ul className="alarms">
        {(data?.items ?? []).map((alarm) => (
          <Item key={alarm.id} alarm={alarm} />
        ))}
      </ul>
    </Card>
  );
}

function Item({ alarm }: { alarm: Alarm }) {
  const may = useMay("operator");
  const { tell, complain } = useOverlays();
  const acknowledge = async () => {
    try {
      await post(`/api/alarms/${alarm.id}/acknowledge`);
      tell(`${alarm.rule} was acknowledged.`);
    } catch (error) {
      complain(error);
    }
  };
  return (
    <li className="alarm">
      <SeverityBadge severity={alarm.severity} />
      <div className="alarm-words">
        <p>
          <b>{alarm.rule}</b>{" "}
          {alarm.routeId && <Link to={`/routes/${alarm.routeId}`}>{alarm.routeName ?? alarm.routeId}</Link>}
        </p>
        <p>{alarm.message}</p>
        <p className="dim">
          since <Time at={alarm.raisedAt} />
          {alarm.clearedAt != null && (
            <>
              {" "}
              until <Time at={alarm.clearedAt} /> ({duration(alarm.clearedAt - alarm.raisedAt)})
              {alarm.clearedMessage && `: ${alarm.clearedMessage}`}
            </>
          )}
          {alarm.acknowledgedAt != null && (
            <>
              {" "}
              · acknowledged by {alarm.acknowledgedBy} at <Time at={alarm.acknowledgedAt} />
            </>
          )}
        </p>
      </div>
      {may && alarm.acknowledgedAt == null && alarm.clearedAt == null && (
        <Button onClick={() => void acknowledge()}>Acknowledge</Button>
      )}
    </li>
  );
}
