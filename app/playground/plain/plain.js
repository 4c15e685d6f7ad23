// The form that is served if the full pages are not built, without dependencies or a build.
(() => {
  const KEY = 'genregraph-credentials';
  const CLASSIFY = `mutation ClassifyBatch($file: Upload!) {
    classifyBatch(file: $file) {
      __typename
      ... on Batch { id rowsUploaded rowsClassified genres { genre { name } songCount } }
      ... on Error { message code }
      ... on InvalidSongFile { problemCount problems { line column value message } }
    }
  }`;

  const endpoint = new URL('graphql', document.baseURI).href;
  const byId = (id) => document.getElementById(id);
  const credentials = byId('credentials').elements;
  const [clientId, clientSecret] = [credentials['client-id'], credentials['client-secret']];

  function remember() {
    const given = { clientId: clientId.value, clientSecret: clientSecret.value };
    sessionStorage.setItem(KEY, JSON.stringify(given));
  }

  async function fillIn() {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? 'null');
    const url = new URL('assets/configuration.json', document.baseURI);
    const { knownClient } = await fetch(url)
      .then((response) => response.json())
      .catch(() => ({}));
    clientId.value = kept?.clientId ?? knownClient ?? '';
    clientSecret.value = kept?.clientSecret ?? knownClient ?? '';
  }

  function show(message, reply) {
    byId('message').hidden = !message;
    byId('message').textContent = message;
    byId('answer').textContent = reply ? JSON.stringify(reply, null, 2) : '';
  }

  function messageOf(status, reply) {
    const details = reply?.errors?.map((error) => error.message).join(' ') ?? '';
    if (status === 401) return 'Sign-in failed. Check your client ID and secret.';
    if (status === 413) return `The file is too large. ${details}`;
    return reply ? details : `The response (status ${status}) is not GraphQL.`;
  }

  function send(body, headers) {
    if (!byId('credentials').reportValidity()) return;
    remember();
    show('', null);
    const progress = byId('progress');
    const request = new XMLHttpRequest();
    request.open('POST', endpoint);
    request.setRequestHeader('client-id', clientId.value);
    request.setRequestHeader('client-secret', clientSecret.value);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => {
      progress.value = loaded / total;
    };
    request.onloadend = () => {
      progress.hidden = true;
      if (request.status === 0) {
        show('The service cannot be reached, or the file exceeds its size limit.', null);
        return;
      }
      let reply = null;
      try {
        reply = JSON.parse(request.responseText);
      } catch {
        // messageOf reports it
      }
      show(messageOf(request.status, reply), reply);
    };
    request.send(body);
  }

  byId('credentials').addEventListener('submit', (event) => {
    event.preventDefault();
    remember();
  });

  byId('upload').addEventListener('submit', (event) => {
    event.preventDefault();
    const file = event.target.elements.file.files[0];
    const body = new FormData();
    body.append('operations', JSON.stringify({ query: CLASSIFY, variables: { file: null } }));
    body.append('map', JSON.stringify({ 0: ['variables.file'] }));
    body.append('0', file, file.name);
    byId('progress').hidden = false;
    byId('progress').value = 0;
    send(body, { 'graphql-preflight': '1' });
  });

  byId('query').addEventListener('submit', (event) => {
    event.preventDefault();
    const query = event.target.elements.query.value;
    send(JSON.stringify({ query }), { 'content-type': 'application/json' });
  });

  fillIn();
})();
