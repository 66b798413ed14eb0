// Haraka asks the guard: copy to plugins/, add "thingwatch" to config/plugins.
// Whatever goes wrong here, the mail is taken.
'use strict'

const http = require('node:http')

const SECONDS = 6 // more than the guard's own deadline

exports.hook_data_post = function (next, connection) {
  const { transaction } = connection
  if (!transaction) return next()
  const query = new URLSearchParams({
    client_ip: connection.remote.ip,
    ptr: connection.remote.host || '',
    helo: connection.hello.host || '',
    mail_from: transaction.mail_from ? transaction.mail_from.address() : '',
    queue_id: transaction.uuid,
    login: connection.notes.auth_user || '',
    own_received: '1', // Haraka has put its own line on top by now
  })
  for (const rcpt of transaction.rcpt_to) query.append('rcpt_to', rcpt.address())

  let answered = false
  const answer = (...found) => {
    if (answered) return
    answered = true
    next(...found)
  }
  const request = http.request(
    { host: '127.0.0.1', port: 8894, method: 'POST', path: `/check?${query}`, timeout: SECONDS * 1000 },
    (reply) => {
      let text = ''
      reply.setEncoding('utf8')
      reply.on('data', (piece) => { text += piece })
      reply.on('error', () => answer())
      reply.on('end', () => {
        let said
        try {
          said = JSON.parse(text)
        } catch {
          return answer()
        }
        for (const name of ['X-Thingwatch-Verdict', 'X-Thingwatch-Symbol']) transaction.remove_header(name)
        if (said.action === 'reject') return answer(DENY, said.reply.slice(4))
        if (said.action === 'defer') return answer(DENYSOFT, said.reply.slice(4))
        for (const [name, value] of said.headers || []) transaction.add_leading_header(name, value)
        // Haraka holds nothing: a plugin of your own may look at this note and put the mail elsewhere.
        if (said.action === 'quarantine') transaction.notes.quarantine = said.reason
        answer()
      })
    },
  )
  request.on('timeout', () => request.destroy())
  request.on('error', () => answer())
  transaction.message_stream.pipe(request)
}
