/** Numbers and dates formatted in English, the language of the pages. */

const LANGUAGE = 'en';

const whole = new Intl.NumberFormat(LANGUAGE);
const share = new Intl.NumberFormat(LANGUAGE, { style: 'percent', maximumFractionDigits: 0 });
const fineShare = new Intl.NumberFormat(LANGUAGE, {
  style: 'percent',
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});
const moment = new Intl.DateTimeFormat(LANGUAGE, { dateStyle: 'medium', timeStyle: 'short' });

export const count = (value: number): string => whole.format(value);
export const percent = (value: number): string => share.format(value);
/** Like `percent`, but small shares are "<1%" instead of "0%". */
export const portion = (value: number): string =>
  value > 0 && value < 0.005 ? '<1%' : percent(value);
/** "53–64%", or "64%" if the rounded values are the same. */
export function percentRange(...values: number[]): string {
  const [low, high] = [Math.min(...values), Math.max(...values)].map(percent) as [string, string];
  return low === high ? high : `${low.slice(0, -1)}–${high}`;
}
export const finePercent = (value: number): string => fineShare.format(value);
export const when = (iso: string): string => moment.format(new Date(iso));

/** "1 song", "2 songs". */
export function counted(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? '' : 's'}`;
}
