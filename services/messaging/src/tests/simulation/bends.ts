import type { Clock } from '../../clock.ts';
import type { BusPublisher, BusSubscriber, DispatchLog, IntakeLog, ReaderLog } from '../../ports.ts';
import type { StreamReader, StreamWriter } from '../../ports.ts';
import type { Stages } from './sim-stages.ts';

interface BentPorts {
  readonly reader: ReaderLog;
  readonly intakeLog: IntakeLog;
  readonly dispatchLog: DispatchLog;
  readonly writer: StreamWriter;
  readonly streamReader: StreamReader;
  readonly publisher: BusPublisher;
  readonly bus: BusSubscriber;
  /** Once they are put together, and before they start. */
  readonly stages: Stages;
}

/**
 * What a test bends in every pod that starts: a deliberate bug, or a fault at one certain point. Ports are bent as
 * the stages see them. No seed brings this about.
 */
export type Bends = { readonly [Port in keyof BentPorts]?: Bend<BentPorts[Port]> };

/** `clock` is the pod's. */
type Bend<Port> = (port: Port, clock: Clock) => Port;

export function bent<Name extends keyof BentPorts>(
  bends: readonly Bends[],
  name: Name,
  { port, clock }: { readonly port: BentPorts[Name]; readonly clock: Clock },
): BentPorts[Name] {
  return bends.reduce((result, bend) => bend[name]?.(result, clock) ?? result, port);
}
