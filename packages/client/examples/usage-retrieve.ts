/** What the account used. */
// prints: requests, US$
import { IndoxHub } from '@indoxhub/client';

const client = new IndoxHub();
const report = await client.usage.retrieve({ start_date: '2026-01-01' });
console.log(report.total_requests, 'requests, US$', report.total_cost, 'left', report.remaining_credits);
