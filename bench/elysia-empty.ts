/** The limit of an HTTP tracker built on Elysia: constant answers and nothing else. */
import { Elysia } from 'elysia'

/** As long as an announce answer with ten peers. */
const ANNOUNCE = `d8:completei7e10:incompletei3e8:intervali120e12:min intervali120e5:peers60:${'p'.repeat(60)}6:peers60:e`
const SCRAPE = `d5:filesd20:${'h'.repeat(20)}d8:completei7e10:downloadedi0e10:incompletei3eeee`

new Elysia()
  .get('/announce', () => new Response(ANNOUNCE))
  .get('/scrape', () => new Response(SCRAPE))
  .listen({ hostname: '127.0.0.1', port: Number(process.argv[2]) })
