import { describe, expect, it } from 'vitest';
import { csvCell, songsCsv } from './csv';
import type { SongRow } from './songs';

describe('csvCell', () => {
  it.each([
    ['Airplanes', 'Airplanes'],
    ['Love, again', '"Love, again"'],
    ['The "one"', '"The ""one"""'],
    ['two\nlines', '"two\nlines"'],
    ['', ''],
  ])('writes %j as %j', (text, cell) => {
    expect(csvCell(text)).toBe(cell);
  });

  it.each([
    ['=1+1', "'=1+1"],
    ['+1', "'+1"],
    ['-1', "'-1"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['\t=1', "'\t=1"],
    ['\r=1', '"\'\r=1"'],
    ['＝1', "'＝1"],
    ['=HYPERLINK("http://a.example","x")', '"\'=HYPERLINK(""http://a.example"",""x"")"'],
  ])('makes the formula %j the text %j', (text, cell) => {
    expect(csvCell(text)).toBe(cell);
  });

  it('does not change signs inside a text', () => {
    expect(csvCell('A=B+C-D@E')).toBe('A=B+C-D@E');
  });
});

describe('songsCsv', () => {
  it('writes a header and a line per song', () => {
    const song: SongRow = {
      trackId: '7',
      title: '=Corazón',
      confidence: 0.123456,
      confident: false,
      modelVersion: '1',
      classifiedAt: '2026-11-23T07:00:00Z',
      genre: { name: 'pop' },
    };
    expect(songsCsv([song])).toBe(
      '\uFEFFtrackID,title,genre,confidence,confident,modelVersion,classifiedAt\r\n' +
        "7,'=Corazón,pop,0.1235,false,1,2026-11-23T07:00:00Z\r\n",
    );
  });
});
