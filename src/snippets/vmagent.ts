import { jobComments, staticJob } from './scrape-job.js';
import type { Snippet } from './snippet.js';
import { yamlText } from './yaml-text.js';

export const vmagent: Snippet = {
  tool: 'vmagent',
  title: 'vmagent of VictoriaMetrics',
  file: 'weir.yml',
  mediaType: 'application/yaml',
  text: (facts) =>
    yamlText(
      { scrape_configs: [staticJob(facts)] },
      {
        top: ['vmagent -promscrape.config=weir.yml -remoteWrite.url=… ; add -dryRun to check it.'],
        above: jobComments(facts, 'scrape_configs.0'),
      },
    ),
};
