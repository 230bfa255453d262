import { instanceLabel } from '../../domain/endpoint.js';
import { WeirError } from '../../domain/errors.js';
import { printable } from '../../domain/ids.js';
import { type RelabelAction, type RelabelConfig, relabelActions } from '../../domain/relabel.js';
import { compileRegex } from '../regex.js';

/** Prometheus' own. */
export const relabelDefaults = { separator: ';', regex: '(.*)', replacement: '$1', action: 'replace' } as const;

const mostRules = 50;
const mostNames = 200;
const longestText = 4096;
const fields = ['source_labels', 'separator', 'regex', 'modulus', 'target_label', 'replacement', 'action'] as const;
const labelName = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
/** A label name in which groups may be named. What Prometheus writes as `((…)+\w*)+`, one way to read each text: this engine tries them all. */
const labelTemplate = /^(?:[a-zA-Z_]|\$(?:\{\w+\}|\w))(?:\w|\$(?:\{\w+\}|\w))*$/;

/**
 * A list of rules as it stands in a file or a request; what Prometheus refuses is refused. Throws `invalid`, naming the
 * rule by its place, the first being 0.
 */
export function readRelabelConfigs(value: unknown): RelabelConfig[] {
  const field = 'metric_relabel_configs';
  if (!Array.isArray(value)) throw new WeirError('invalid', 'Relabel rules must be a list.', { field });
  if (value.length > mostRules) {
    throw new WeirError('invalid', `There are ${value.length} relabel rules; at most ${mostRules} are taken.`, {
      field,
    });
  }
  return value.map((each, index) => {
    const at = `${field}.${index}`;
    const refuse = (sentence: string): WeirError =>
      new WeirError('invalid', `Relabel rule ${index + 1}: ${sentence}.`, { field: at });
    const config = readRule(each, refuse);
    checkRule(config, refuse);
    checkRegex(config.regex ?? relabelDefaults.regex, index, `${at}.regex`);
    return config;
  });
}

function checkRegex(source: string, index: number, field: string): void {
  try {
    compileRegex(source, field);
  } catch (error) {
    if (!(error instanceof WeirError)) throw error;
    throw new WeirError('invalid', `Relabel rule ${index + 1}: ${error.message}`, { field });
  }
}

type Refuse = (sentence: string) => WeirError;

function readRule(value: unknown, refuse: Refuse): RelabelConfig {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refuse('it must be a mapping');
  const given = Object.entries(value).filter(([, each]) => each !== null && each !== undefined);
  const unknown = given.find(([name]) => !(fields as readonly string[]).includes(name));
  if (unknown !== undefined) throw refuse(`there is no field "${printable(unknown[0])}"`);
  const rule: Record<string, unknown> = {};
  for (const [name, each] of given) {
    if (name === 'source_labels') {
      if (!Array.isArray(each) || !each.every((label) => typeof label === 'string' && labelName.test(label))) {
        throw refuse('source_labels must be a list of label names');
      }
      rule[name] = each;
    } else if (name === 'modulus') {
      if (!Number.isSafeInteger(each) || (each as number) < 0) throw refuse('modulus must be a whole number');
      rule[name] = each;
    } else {
      if (!['string', 'number', 'boolean'].includes(typeof each)) throw refuse(`${name} must be a text`);
      const text = String(each);
      if (text.length > longestText) throw refuse(`${name} is longer than ${longestText} characters`);
      rule[name] = name === 'action' ? text.toLowerCase() : text;
    }
  }
  if (rule.action !== undefined && !relabelActions.includes(rule.action as RelabelAction)) {
    throw refuse(`there is no action "${printable(String(rule.action))}"; there are ${relabelActions.join(', ')}`);
  }
  return rule;
}

/** As `Config.Validate` of Prometheus. */
function checkRule(rule: RelabelConfig, refuse: Refuse): void {
  const {
    action = relabelDefaults.action,
    target_label: target = '',
    replacement = relabelDefaults.replacement,
  } = rule;
  const isSet = (name: 'separator' | 'regex' | 'replacement'): boolean =>
    rule[name] !== undefined && rule[name] !== relabelDefaults[name];
  if (action === 'hashmod' && !rule.modulus) throw refuse('hashmod needs a modulus that is not 0');
  if (['replace', 'hashmod', 'lowercase', 'uppercase', 'keepequal', 'dropequal'].includes(action)) {
    if (target === '') throw refuse(`${action} needs a target_label`);
    const form = action === 'replace' && target.includes('$') ? labelTemplate : labelName;
    if (!form.test(target)) throw refuse(`"${printable(target)}" is no target_label for ${action}`);
  }
  if (['lowercase', 'uppercase', 'keepequal', 'dropequal'].includes(action) && isSet('replacement')) {
    throw refuse(`${action} takes no replacement`);
  }
  if (action === 'labelmap' && !labelTemplate.test(replacement)) {
    throw refuse(`"${printable(replacement)}" is no replacement for labelmap`);
  }
  if (action === 'keepequal' || action === 'dropequal') {
    if (isSet('regex') || rule.modulus || isSet('separator')) {
      throw refuse(`${action} takes source_labels and target_label only`);
    }
  }
  if (action === 'labeldrop' || action === 'labelkeep') {
    if (rule.source_labels || target !== '' || rule.modulus || isSet('separator') || isSet('replacement')) {
      throw refuse(`${action} takes a regex only`);
    }
  }
}

/** Without them a histogram or summary is none; `instance_id` is on every series. */
const neverDropped = ['__name__', 'le', 'quantile', instanceLabel];

/** Throws `invalid`. */
export function checkDroppedLabels(names: readonly string[]): readonly string[] {
  checkNames(names, 'dropped_labels', labelName, 'label');
  const kept = names.find((name) => neverDropped.includes(name));
  if (kept !== undefined) {
    throw new WeirError('invalid', `The label "${kept}" cannot be dropped.`, {
      field: 'dropped_labels',
    });
  }
  return names;
}

/** Throws `invalid`. */
export function checkDroppedMetrics(names: readonly string[]): readonly string[] {
  checkNames(names, 'dropped_metrics', /^[a-zA-Z_:][a-zA-Z0-9_:]*$/, 'metric');
  return names;
}

function checkNames(names: readonly string[], field: string, form: RegExp, kind: string): void {
  if (names.length > mostNames) {
    throw new WeirError('invalid', `At most ${mostNames} ${kind}s can be dropped by name, not ${names.length}.`, {
      field,
    });
  }
  const wrong = names.find((name) => !form.test(name) || name.length > 1024);
  if (wrong !== undefined) throw new WeirError('invalid', `"${printable(wrong)}" is no name of a ${kind}.`, { field });
}
