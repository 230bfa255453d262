import type { Steps } from '../../domain/turns.js';
import { checkPartRoom, type Part, partRoom } from '../routes.js';
import { SeriesBatch } from '../series-batch.js';
import { type Converted, Converter, type ConvertOptions, RequestSize } from './convert.js';
import type { Attributes, Metric, OtlpSink, Point } from './request.js';

/** The resource attributes that say where metrics belong. */
export interface RoutingAttributes {
  readonly project: string;
  readonly endpoint: string;
}

/**
 * Hands each resource to a converter for the endpoint it belongs to, without the attributes that say so. Names are empty where
 * the resource does not say, or says it twice.
 */
export class RoutingConverter implements OtlpSink {
  private readonly routing: RoutingAttributes;
  private readonly options: ConvertOptions;
  private readonly size = new RequestSize();
  private readonly parts = new Map<string, { readonly part: Part; readonly converter: Converter }>();
  private attributes: Attributes = [];
  /** Of the resource; absent as long as it has no metric. */
  private current: Converter | undefined;

  constructor(routing: RoutingAttributes, options: ConvertOptions) {
    this.routing = routing;
    this.options = options;
  }

  resource(attributes: Attributes): void {
    this.attributes = attributes;
    this.current = undefined;
  }

  metric(metric: Metric): boolean {
    this.current ??= this.begin();
    return this.current.metric(metric);
  }

  wantsPoint(): boolean {
    return this.current!.wantsPoint();
  }

  point(point: Point): Steps<void> | undefined {
    return this.current!.point(point);
  }

  pass(points: number): void {
    this.current!.pass(points);
  }

  endResource(): void {
    this.current?.endResource();
  }

  /** Nothing comes after it. */
  end(): Converted & { readonly parts: readonly Part[] } {
    let refused = 0;
    let reason: string | undefined;
    const parts: Part[] = [];
    for (const { part, converter } of this.parts.values()) {
      const converted = converter.end();
      refused += converted.refused;
      reason ??= converted.reason;
      parts.push({ ...part, unfit: converted.refused });
    }
    return { parts, refused, reason };
  }

  private begin(): Converter {
    const { project, endpoint } = this.routing;
    const names = { project: this.onlyValue(project), endpoint: this.onlyValue(endpoint) };
    const key = JSON.stringify(names);
    let found = this.parts.get(key);
    if (found === undefined) {
      checkPartRoom(this.parts.size);
      const batch = new SeriesBatch(partRoom);
      found = {
        part: { ...names, namedBy: 'attributes', batch },
        converter: new Converter(batch, this.options, this.size),
      };
      this.parts.set(key, found);
    }
    found.converter.resource(this.attributes.filter(([name]) => name !== project && name !== endpoint));
    return found.converter;
  }

  private onlyValue(name: string): string {
    const values = this.attributes.filter(([key]) => key === name);
    return values.length === 1 ? values[0]![1] : '';
  }
}
